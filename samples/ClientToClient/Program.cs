using ClientToClient;
using Narad.Samples;

// ClientToClient             both services in this process
// ClientToClient client-a    one service: start each in a process of its own
// ClientToClient client-b
return await Sample.RunAsync(args, ClientToClientRoles.All());
