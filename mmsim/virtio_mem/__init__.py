"""virtio-mem: the protocol, the hypervisor's side (`device`) and the guest's side (`driver`)."""
