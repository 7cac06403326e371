namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>How a <see cref="FakeRegistry"/> fails.</summary>
public enum RegistryFault
{
    None,
    ServerError,
    Html,
    EmptyObject,
    OtherNotFound,
    Unauthorized,
    Hangs,
}
