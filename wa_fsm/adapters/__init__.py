"""What meets the world: webhooks in, sends out. Each file is imported only by who uses it."""
