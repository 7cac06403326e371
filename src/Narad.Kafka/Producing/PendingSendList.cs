namespace Narad.Kafka.Producing;

/// <summary>
/// A doubly linked list through the sends themselves, so that joining and leaving at any place allocates nothing. A send is in at most one
/// list. Not thread-safe: each list belongs to the lock of its owner.
/// </summary>
internal sealed class PendingSendList
{
    public PendingSend? First { get; private set; }

    public PendingSend? Last { get; private set; }

    public int Count { get; private set; }

    public void AddLast(PendingSend send)
    {
        send.List = this;
        send.Previous = Last;
        send.Next = null;
        if (Last is null)
        {
            First = send;
        }
        else
        {
            Last.Next = send;
        }

        Last = send;
        Count++;
    }

    /// <summary>Puts a send where its ticket belongs: with equal tickets the deeper one first, then in the order of adding.</summary>
    public void AddByTicket(PendingSend send)
    {
        var after = Last;
        while (after is not null && (after.Ticket > send.Ticket || (after.Ticket == send.Ticket && after.Depth < send.Depth)))
        {
            after = after.Previous;
        }

        if (after == Last)
        {
            AddLast(send);
            return;
        }

        var before = after is null ? First! : after.Next!;
        send.List = this;
        send.Previous = after;
        send.Next = before;
        before.Previous = send;
        if (after is null)
        {
            First = send;
        }
        else
        {
            after.Next = send;
        }

        Count++;
    }

    /// <summary>
    /// The first send that is being prepared less deep: it may be waiting for one of this depth, which therefore takes its place before it. Sends wait only for
    /// the preparing of deeper ones, so that no circle of them exists.
    /// </summary>
    public PendingSend? FirstAbove(int depth)
    {
        var send = First;
        while (send is not null && (send.Stage != SendStage.Preparing || send.Depth >= depth))
        {
            send = send.Next;
        }

        return send;
    }

    /// <summary>Takes a send out.</summary>
    /// <returns>False where it is not in this list.</returns>
    public bool Remove(PendingSend send)
    {
        if (send.List != this)
        {
            return false;
        }

        if (send.Previous is null)
        {
            First = send.Next;
        }
        else
        {
            send.Previous.Next = send.Next;
        }

        if (send.Next is null)
        {
            Last = send.Previous;
        }
        else
        {
            send.Next.Previous = send.Previous;
        }

        send.List = null;
        send.Previous = null;
        send.Next = null;
        Count--;
        return true;
    }
}
