"""Kinds of metadata that image files carry, by name; without Pillow, so that pages may know them, too."""

GPS, PERSON, SERIAL, TAKEN, ANY = "gps", "person", "serial", "taken", "any"
KINDS = (ANY, GPS, PERSON, SERIAL, TAKEN)
