using ClientToClient.ClientA;
using ClientToClient.ClientB;
using ClientToClient.Storage;
using Narad.Samples;

namespace ClientToClient;

/// <summary>The two services.</summary>
internal static class ClientToClientRoles
{
    /// <summary>The roles. Both save into one database: MongoDB where the configuration names it, else the memory of the process that both run in.</summary>
    public static SampleRole[] All()
    {
        var memory = new InMemoryMessageRepository();
        return
        [
            new("client-a", 3000, builder =>
            {
                builder.AddClientA(memory);
                var app = builder.Build();
                app.MapClientA();
                return app;
            }),
            new("client-b", 3001, builder =>
            {
                builder.AddClientB(memory);
                var app = builder.Build();
                app.MapClientB();
                return app;
            }),
        ];
    }
}
