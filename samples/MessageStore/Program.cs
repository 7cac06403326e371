using MessageStore;
using Narad.Samples;

// MessageStore            both roles in this process
// MessageStore api        one role: start each in a process of its own
// MessageStore consumer
return await Sample.RunAsync(args, MessageStoreRoles.All());
