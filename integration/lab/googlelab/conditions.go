package googlelab

import (
	"strings"

	"carnet.dev/carnet/integration/lab/world"
)

// onObject is what a condition can say of an object of a bucket, or of the bucket
// itself where the object has no name.
// https://cloud.google.com/iam/docs/conditions-resource-attributes
func onObject(bucket, object string) map[string]any {
	name, kind := "projects/_/buckets/"+bucket, "storage.googleapis.com/Bucket"
	if object != "" {
		name, kind = name+"/objects/"+object, "storage.googleapis.com/Object"
	}
	return map[string]any{"name": name, "service": "storage.googleapis.com", "type": kind}
}

// standing returns the bindings of a bucket and its project whose conditions hold for
// an object. What a boundary may ask, objectListPrefix, no binding's condition is told.
func (c *Cloud) standing(bucket, object string) []world.Binding {
	var list []world.Binding
	for _, b := range c.bucketBindings(bucket) {
		if b.Condition != "" {
			v, err := c.eval(b.Condition, map[string]any{"resource": onObject(bucket, object), "api": map[string]any{}})
			if err != nil || v != true {
				continue
			}
			b.Condition = ""
		}
		list = append(list, b)
	}
	return list
}

func (c *Cloud) bucketBindings(bucket string) []world.Binding {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, p := range c.world.Projects {
		if b := p.Buckets[bucket]; b != nil {
			return append(append([]world.Binding(nil), b.Bindings...), p.Bindings...)
		}
	}
	return nil
}

// checkBindings compiles the conditions, so that a mistake in one is found when the
// world is loaded.
func (c *Cloud) checkBindings(p *world.Project) error {
	for _, b := range p.Buckets {
		for _, binding := range b.Bindings {
			if strings.TrimSpace(binding.Condition) == "" {
				continue
			}
			if _, err := c.compile(binding.Condition); err != nil {
				return err
			}
		}
	}
	return nil
}
