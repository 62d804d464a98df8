"""What the book's chapters show: a module for each chapter, its laboratories made by one call each."""
