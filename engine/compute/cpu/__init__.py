"""What a CPU has beyond fp32: its arithmetic, products in 8 bits, memory that is kept, a process for each core."""
