// Package augment changes samples at random while a network trains.
//
// A pipeline is written as words: "flip=0.5,crop=224x224,monochrome=0.2,jitter=0.2,blur=0.1".
//
//	crop        rows x columns, pixels; the window is drawn for training, central for validation
//	pad         pixels on each side before the crop, which repeat the edge, 0 to 1024
//	zoom        factors that the window's content is enlarged by, about its middle, such as 0.9-1.3
//	rotate      degrees to either side that it is turned by, 0 to 45
//	flip        probability of a mirror image
//	jitter      brightness, contrast and saturation each within 1-x .. 1+x
//	brightness  one of them alone; likewise contrast, saturation
//	monochrome  probability of grey; VGGFace2 trains with 0.2 (Cao et al. 2018)
//	blur        probability of a Gaussian blur
//	sigma       of the blur, pixels, such as 0.5-1.5
//	erase       probability that a rectangle, 1/8 to 1/2 of the sides, turns grey; that parts of a
//	            face are missing (Zhong et al. 2020, DeVries and Taylor 2017)
//
// What happens to a sample depends on (seed, epoch, key) alone, drawn from a named random
// stream; never on the number of workers, on timing or on other samples.
//
// Samples are planar, C x H x W, 8 bits a value, in 3 channels or 1. Arithmetic on pixels is
// integer, so every CPU gives the same bits. The package knows nothing of labels or networks.
package augment
