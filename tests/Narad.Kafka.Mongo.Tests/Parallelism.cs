// Nearly all of these tests wait for a server nearly all of the time, or for their turn to make its commands fail.
[assembly: CollectionBehavior(MaxParallelThreads = 6)]
[assembly: TestFramework("Narad.Kafka.Shared.MethodsInParallel", "Narad.Kafka.Mongo.Tests")]
