"""What peers.py is made of: the programs, the parts that are measured, the tables."""
