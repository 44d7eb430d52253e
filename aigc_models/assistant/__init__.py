"""An assistant that answers from a company's documents and past dialogues, and says where from."""
