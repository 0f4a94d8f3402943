// name: create_cell_constraint
// purpose: one cell a key; the index that every look-up by address uses
// access: schema
CREATE CONSTRAINT cell_key IF NOT EXISTS FOR (cell:Cell) REQUIRE cell.key IS UNIQUE
