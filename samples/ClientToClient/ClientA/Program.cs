using ClientToClient.ClientA;

var builder = WebApplication.CreateBuilder(args);
builder.AddClientA();

var app = builder.Build();
app.MapPost("/send-message", SendMessage.HandleAsync);
await app.RunAsync();
