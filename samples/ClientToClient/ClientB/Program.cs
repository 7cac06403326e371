using ClientToClient.ClientB;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
builder.AddClientB();
await builder.Build().RunAsync();
