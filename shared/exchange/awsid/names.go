package awsid

import "strings"

// PartitionOf is an ARN's partition: aws, aws-cn, aws-us-gov.
func PartitionOf(arn string) string {
	_, rest, _ := strings.Cut(arn, ":")
	partition, _, _ := strings.Cut(rest, ":")
	return partition
}

// AccountOf is the account that an ARN names; empty where arn is none.
func AccountOf(arn string) string {
	account, _ := accountOf(arn)
	return account
}

// ServiceOf is the service of a host SERVICE.REGION.amazonaws.com, whatever the partition. A
// bucket's host is a service too: BUCKET.s3.
func ServiceOf(host string) (service string, ok bool) {
	name, ok := strings.CutSuffix(strings.TrimSuffix(host, ".cn"), ".amazonaws.com")
	i := strings.LastIndex(name, ".")
	if !ok || i < 0 || i+1 == len(name) {
		return "", false
	}
	return name[:i], true
}
