"""One machine: how it boots, its pages in use, its files in /sys and /proc, what can be done to it and raced on it."""
