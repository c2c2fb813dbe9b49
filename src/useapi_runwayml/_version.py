"""The version, told to the service as User-Agent."""

VERSION = "0.1.0"
