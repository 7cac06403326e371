using ClientToClient.ClientA;

var builder = WebApplication.CreateBuilder(args);
builder.AddClientA();

var app = builder.Build();
app.MapClientA();
await app.RunAsync();
