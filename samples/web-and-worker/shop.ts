/** The parts that web and worker share: the databases, the job store and the task. */

import { inject, injectable } from 'inversify';
import { Task, tasks } from 'millrace';
import { mongoStore } from 'millrace/mongo';
import { type Collection, MongoClient, ObjectId } from 'mongodb';

export interface Order {
  readonly _id: ObjectId;
  readonly item: string;
  readonly receipt?: string;
}

/** The application's own data. */
export class Shop {
  readonly client = new MongoClient(process.env['MONGODB_URI'] ?? '');
  readonly orders: Collection<Order> = this.client.db('millrace-shop').collection('orders');
}

/**
 * The jobs live in a database of their own, behind a client of their own, here of the same cluster. Orders and jobs are written in one
 * transaction, so the store needs the client whose sessions it will get.
 */
export function openJobs({ client: sessions }: Shop) {
  const client = new MongoClient(process.env['MONGODB_URI'] ?? '');
  return { store: mongoStore({ client, sessions, database: 'millrace-shop-jobs' }), close: () => client.close() };
}

@injectable()
export class Receipts {
  constructor(@inject(Shop) private readonly shop: Shop) {}

  /** May run again after a crash: it writes the same receipt. */
  @Task({ quotas: [], keepMs: 86_400_000 })
  async write(orderId: string): Promise<string> {
    const order = await this.shop.orders.findOne({ _id: new ObjectId(orderId) });
    if (order === null) throw new Error(`there is no order ${orderId}`);
    const receipt = `receipt for 1 ${order.item}`;
    await this.shop.orders.updateOne({ _id: order._id }, { $set: { receipt } });
    return receipt;
  }
}

export const receipts = tasks(Receipts);
