"""The web application of Nightwatch: serves the static pages and builds the missing ones."""
