-- Which generation of the server's feed the cursor is of: a server that was restored from a backup counts anew.
ALTER TABLE feed_cursor ADD COLUMN generation INTEGER;
