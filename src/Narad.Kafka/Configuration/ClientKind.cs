namespace Narad.Kafka.Configuration;

/// <summary>The clients that a configuration is made for.</summary>
internal enum ClientKind
{
    /// <summary>A producer.</summary>
    Producer,

    /// <summary>A consumer.</summary>
    Consumer,

    /// <summary>An administrative client; librdkafka builds a producer for it.</summary>
    Admin,
}
