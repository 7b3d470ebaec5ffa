package pixel

import "image"

// Region returns the part of an image of the given size that a [Warp] to w x h reads, so that a
// decoder can leave out the rest. dx and dy say how many pixels a sample of its chroma covers, 1
// where there is none. It is empty where the warp shows nothing of the image.
//
// Planes that begin at a pixel (x, y) of the image, x a multiple of dx and y of dy, are warped by
// the same map with x taken from m[2] and y from m[5].
func Region(size image.Point, dx, dy, w, h int, m [6]float64, s Sampling) image.Rectangle {
	k := works.Get().(*work)
	defer k.free()
	var all image.Rectangle
	for _, d := range []image.Point{{1, 1}, {dx, dy}} {
		p := &k.sampler[0]
		p.reset(Plane{DX: d.X, DY: d.Y}, m, s, 0)
		x0, x1 := span(p.x0, p.xx, p.xy, w, h)
		y0, y1 := span(p.y0, p.yx, p.yy, w, h)
		r := image.Rect((x0-1)*d.X, (y0-1)*d.Y, (x1+p.fx.taps+1)*d.X, (y1+p.fy.taps+1)*d.Y)
		all = all.Union(r)
	}
	return all.Intersect(image.Rectangle{Max: size})
}

// span returns the least and the largest integer part of c + x a + y b over w columns and h rows.
// Steps rounded to 16 bits move it by less than 1.
func span(c, a, b int64, w, h int) (low, high int) {
	right, down := int64(max(0, w-1))*a, int64(max(0, h-1))*b
	least, most := c+min(0, right)+min(0, down), c+max(0, right)+max(0, down)
	return int(least >> coordBits), int(most >> coordBits)
}
