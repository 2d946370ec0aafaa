"""Flex over HTTP: what is asked, what is answered, how frames are streamed; must not know how runs are executed."""
