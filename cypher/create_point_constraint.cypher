// name: create_point_constraint
// purpose: a point's key names one point, and finds it
// access: schema
CREATE CONSTRAINT point_key IF NOT EXISTS FOR (point:Point) REQUIRE point.key IS UNIQUE
