pytest_plugins = ["tests.servers", "tests.faults.plugin"]
