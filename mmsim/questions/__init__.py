"""What readers are asked, with keys that are computed."""
