"""How it runs: Faust agents and tables, intake, brokers, web pages, the command line."""
