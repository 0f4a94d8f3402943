// name: read_time
// purpose: what the server's clock says, in milliseconds
// access: read
// column: now integer
RETURN timestamp() AS now
