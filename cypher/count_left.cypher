// name: count_left
// purpose: whether anything is left of a hierarchy but its node
// access: read
// parameter: id string
// parameter: low string
// parameter: high string
// column: cells boolean
// column: points boolean
// column: leases boolean
// column: digests boolean
RETURN EXISTS { (cell:Cell) WHERE cell.key >= $low AND cell.key < $high } AS cells,
       EXISTS { (point:Point) WHERE point.key >= $low AND point.key < $high } AS points,
       EXISTS { (lease:Lease) WHERE lease.hierarchy = $id } AS leases,
       EXISTS { (digest:SubtreeDigest) WHERE digest.key >= $low AND digest.key < $high } AS digests
