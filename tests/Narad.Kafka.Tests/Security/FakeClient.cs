using Confluent.Kafka;

namespace Narad.Kafka.Tests.Security;

/// <summary>Something to hand tokens to.</summary>
internal sealed class FakeClient : IClient
{
    public Handle Handle => throw new NotSupportedException();

    public string Name => "fake";

    public int AddBrokers(string brokers) => throw new NotSupportedException();

    public void SetSaslCredentials(string username, string password) => throw new NotSupportedException();

    public void Dispose()
    {
        // Holds nothing.
    }
}
