// Not in parallel: some of these tests set variables of the process.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
