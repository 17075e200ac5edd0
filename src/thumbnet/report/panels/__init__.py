"""The HTML of each section: facts and charts put into its template."""
