"""A local SWF, for development and tests; production is AWS SWF itself."""
