"""The static pages of the sample site: a function from values to HTML for each kind."""
