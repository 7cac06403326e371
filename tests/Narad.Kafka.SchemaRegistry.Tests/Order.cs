using System.ComponentModel;

namespace Narad.Kafka.SchemaRegistry.Tests;

/// <summary>The message of these tests.</summary>
[Description("An order")]
public sealed record Order(string Id, decimal Total, string? Note = null);
