using System.Buffers;
using System.Collections.Immutable;
using Narad.Kafka.Tests.Service;

namespace Narad.Kafka.Tests.Serialization;

/// <summary>Bytes are sent and handled as they are, whichever type holds them.</summary>
public sealed class ByteTypesTests
{
    private static readonly byte[] Bytes = [0, 255, 34, 128];

    public static TheoryData<string> Types =>
        ["byte[]", "ReadOnlyMemory", "ReadOnlyMemory?", "Memory", "Memory?", "ArraySegment", "ArraySegment?", "ReadOnlySequence", "ReadOnlySequence in parts",
            "ImmutableArray"];

    [Theory]
    [MemberData(nameof(Types))]
    public async Task Bytes_of_every_type_arrive_as_they_were_sent(string type)
    {
        var array = (byte[])[7, .. Bytes, 7];
        var memory = array.AsMemory(1, Bytes.Length);
        await (type switch
        {
            "byte[]" => ThereAndBackAsync(Bytes, bytes => bytes),
            "ReadOnlyMemory" => ThereAndBackAsync((ReadOnlyMemory<byte>)memory, bytes => bytes.ToArray()),
            "ReadOnlyMemory?" => ThereAndBackAsync((ReadOnlyMemory<byte>?)memory, bytes => bytes!.Value.ToArray()),
            "Memory" => ThereAndBackAsync(memory, bytes => bytes.ToArray()),
            "Memory?" => ThereAndBackAsync((Memory<byte>?)memory, bytes => bytes!.Value.ToArray()),
            "ArraySegment" => ThereAndBackAsync(new ArraySegment<byte>(array, 1, Bytes.Length), bytes => [.. bytes]),
            "ArraySegment?" => ThereAndBackAsync((ArraySegment<byte>?)new ArraySegment<byte>(array, 1, Bytes.Length), bytes => [.. bytes!.Value]),
            "ReadOnlySequence" => ThereAndBackAsync(new ReadOnlySequence<byte>(memory), bytes => bytes.ToArray()),
            "ReadOnlySequence in parts" => ThereAndBackAsync(InParts(), bytes => bytes.ToArray()),
            _ => ThereAndBackAsync(ImmutableArray.Create(Bytes), bytes => [.. bytes]),
        });
    }

    [Fact]
    public async Task An_empty_segment_is_an_empty_message_and_no_tombstone()
    {
        await ThereAndBackAsync(default(ArraySegment<byte>), bytes => [.. bytes], expected: []);
        await ThereAndBackAsync(default(ImmutableArray<byte>), bytes => [.. bytes], expected: []);
    }

    [Fact]
    public async Task A_handler_may_write_to_the_bytes_that_it_gets()
    {
        await using var service = await EmbeddedService.StartAsync();
        var seen = new List<byte[]>();
        await service.Kafka.SubscribeAsync<Memory<byte>>(
            "orders",
            (bytes, context, _) =>
            {
                lock (seen)
                {
                    seen.Add(bytes.ToArray());
                    bytes.Span.Clear();
                    return context.Attempt == 1 ? throw new InvalidOperationException("once more") : Task.CompletedTask;
                }
            },
            configure: subscription => subscription.Retry.InMemory.MaxAttempts = 1);

        await service.SendAsync("orders", Bytes);

        await Waiting.Until(() => seen.Count == 2, "handled twice");
        seen.Should().AllSatisfy(bytes => bytes.Should().Equal(Bytes));
    }

    private static async Task ThereAndBackAsync<T>(T message, Func<T, byte[]> read, byte[]? expected = null)
    {
        await using var service = await EmbeddedService.StartAsync();
        var raw = new TaskCompletionSource<byte[]>();
        var typed = new TaskCompletionSource<byte[]>();
        await service.Kafka.ConnectConsumerAsync("typed");
        await service.Kafka.SubscribeAsync<T>("orders", (received, _, _) => Handled(typed, read(received)), "typed");
        await service.Kafka.SubscribeAsync<ReadOnlyMemory<byte>>("orders", (_, context, _) => Handled(raw, context.RawValue!.Value.ToArray()), "g");

        await service.Kafka.SendAsync("orders", message);

        (await raw.Task.WaitAsync(Waiting.Deadline)).Should().Equal(expected ?? Bytes);
        (await typed.Task.WaitAsync(Waiting.Deadline)).Should().Equal(expected ?? Bytes);
    }

    private static Task Handled(TaskCompletionSource<byte[]> handled, byte[] bytes)
    {
        handled.TrySetResult(bytes);
        return Task.CompletedTask;
    }

    private static ReadOnlySequence<byte> InParts()
    {
        var last = new Part(Bytes.AsMemory(2), null, 2);
        var first = new Part(Bytes.AsMemory(0, 2), last, 0);
        return new ReadOnlySequence<byte>(first, 0, last, Bytes.Length - 2);
    }

    private sealed class Part : ReadOnlySequenceSegment<byte>
    {
        public Part(ReadOnlyMemory<byte> memory, Part? next, long index)
        {
            Memory = memory;
            Next = next;
            RunningIndex = index;
        }
    }
}
