"""The pages that are made on demand."""
