"""The subcommands of the daefr command, a module each."""
