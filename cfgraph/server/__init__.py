"""The local server: a Java process, its files, its jars; nothing here knows what a hierarchy is."""
