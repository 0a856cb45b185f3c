"""The pages that the web application makes on demand."""
