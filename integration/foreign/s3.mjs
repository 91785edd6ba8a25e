// @aws-sdk/client-s3, unmodified, with the session that carnet's container endpoint gives it.
import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";

const s3 = new S3Client({ endpoint: process.env.LAB_S3, region: "eu-west-1", forcePathStyle: true });
await s3.send(new PutObjectCommand({ Bucket: "acme-lake", Key: "from-operator/by-js", Body: "hello" }));
try {
  await s3.send(new PutObjectCommand({ Bucket: "acme-lake", Key: "theirs/by-js", Body: "hello" }));
} catch (e) {
  if (e.name !== "AccessDenied") throw e;
  console.log("@aws-sdk/client-s3");
  process.exit(0);
}
throw new Error("the SDK wrote outside the prefix");
