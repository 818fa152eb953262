"""Storage: dataset files, stored tables, and atomic writes to folders and object stores."""
