// name: count_connections
// purpose: how many connections the server has, this one among them
// access: read
// column: connections integer
CALL dbms.listConnections() YIELD connectionId RETURN count(connectionId) AS connections
