"""Request bodies: what the API and the console's forms take, and how they refuse the rest."""
