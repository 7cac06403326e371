using System.Reflection;
using Confluent.Kafka;

namespace Narad.Kafka.Tests.Consuming;

/// <summary>A consuming client that does what the test says, and keeps what it was told.</summary>
internal class FakeConsumer : DispatchProxy
{
    private readonly Dictionary<string, Func<object?[], object?>> _answers = new(StringComparer.Ordinal)
    {
        [nameof(IConsumer<byte[], byte[]>.QueryWatermarkOffsets)] = static _ => new WatermarkOffsets(0, 1_200),
        [nameof(IConsumer<byte[], byte[]>.Committed)] = static asked => ((IEnumerable<TopicPartition>)asked[0]!)
            .Select(static partition => new TopicPartitionOffset(partition, Offset.Unset)).ToList(),
        ["get_Assignment"] = static _ => new List<TopicPartition>(),
    };

    /// <summary>What the client was told, in order: the method, and the position where it has one.</summary>
    public List<(string Call, TopicPartitionOffset? At)> Told { get; } = [];

    public static (IConsumer<byte[]?, byte[]?> Client, FakeConsumer Fake) Create()
    {
        var client = Create<IConsumer<byte[]?, byte[]?>, FakeConsumer>();
        return (client, (FakeConsumer)(object)client);
    }

    public void Answer(string method, Func<object?[], object?> answer) => _answers[method] = answer;

    public IEnumerable<TopicPartitionOffset?> ToldTo(string call) => Told.Where(told => string.Equals(told.Call, call, StringComparison.Ordinal))
        .Select(static told => told.At);

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        args ??= [];
        if (!targetMethod!.IsSpecialName)
        {
            Told.Add((targetMethod.Name, args.ElementAtOrDefault(0) is IEnumerable<TopicPartitionOffset> many ? many.First()
                : args.ElementAtOrDefault(0) as TopicPartitionOffset));
        }

        return _answers.TryGetValue(targetMethod.Name, out var answer) ? answer(args) : null;
    }
}
