"""What serving.py is made of: a client for many connections, the servers, the parts, the tables."""
