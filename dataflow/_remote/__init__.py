"""What ``dataflow.remote`` is made of: the formats on the wire, encryption, and the sockets."""
