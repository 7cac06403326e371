namespace Narad.Kafka;

/// <summary>
/// What became of everything that was accepted for sending, counted by the library itself, once each: <see cref="Delivered"/>, <see cref="Late"/>,
/// <see cref="Failed"/> and <see cref="Unknown"/> add up to it.
/// </summary>
/// <remarks>
/// A send that its caller awaited to the end counts as what the caller was told, except for <see cref="Late"/>: the caller was told that it failed, and may
/// have sent it again. One that was cancelled when the client already had it is delivered, failed or unknown as the client answers. A send that was taken back
/// before the client had it counts nowhere, because nothing was sent: it was cancelled while it waited in the queue, its serializer or middleware threw, or
/// middleware answered without sending.
/// <para>In <see cref="KafkaMode.Console"/> no broker is asked: there <see cref="Delivered"/> counts the messages that were logged, and none of them was
/// sent.</para>
/// </remarks>
/// <param name="Delivered">Acknowledged by the broker in time (in <see cref="KafkaMode.Console"/>: logged, and not sent), over the life of the service.</param>
/// <param name="Failed">Refused, timed out in the queue or in the client, or without a topic to go to, over the life of the service.</param>
/// <param name="Unknown">Without an answer when <see cref="KafkaOptions.ShutdownTimeout"/> ended; those that the client had may have been written.</param>
/// <param name="Abandoned">What did not stop in time, by name (a hung client handle, a handler that ignores its token); empty when all went well.</param>
public sealed record DisconnectReport(long Delivered, long Failed, long Unknown, IReadOnlyList<string> Abandoned)
{
    /// <summary>
    /// Acknowledged by the broker after <see cref="KafkaOptions.SendTimeout"/> had ended: the caller got a <see cref="KafkaSendException"/> with
    /// <see cref="KafkaSendException.MayHaveBeenWritten"/>, and the message was written. Over the life of the service.
    /// </summary>
    public long Late { get; init; }
}
