"""The product on several hosts: a database, a broker and a store of files that all reach over a network that is cut."""
