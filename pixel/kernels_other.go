//go:build !amd64

package pixel

// There is no assembly for this CPU: the level is always portable, and no kernel is called.

func best() level { return portable }

const absent = "pixel: no such kernel"

func (s *sampler) fast(level, *values, *sampler, *values, int, int, int64, int64) { panic(absent) }
func fastRow(level, *[segment]int32, []uint8, *cache, int)                        { panic(absent) }
func fastColumns(level, *values, *cache, int, int, uint)                          { panic(absent) }
func fastRGB(_ level, r, g, b []uint8, y, cb, cr *values)                         { panic(absent) }
func fastPaeth(dst, row, left, above, corner []uint8)                             { panic(absent) }
func fastRows(level, []float32, []uint8, Rows)                                    { panic(absent) }
